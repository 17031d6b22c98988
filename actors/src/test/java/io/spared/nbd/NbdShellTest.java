package io.spared.nbd;

import io.spared.ffi.disk.DiskAddress;
import io.spared.ffi.disk.FaultDisk;
import io.spared.ffi.disk.FaultPlan;
import io.spared.ffi.disk.FaultRule;
import io.spared.nbd.NbdRig.Export;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What libnbd, driven by nbdsh, is answered request by request: flags, errors and their places. */
class NbdShellTest {
  private static final long DISK_BYTES = 16L << 20;

  /** Two pieces and a half. */
  private static final int LONG_BYTES = 640 << 10;

  @TempDir Path folder;
  private final FaultPlan faults = new FaultPlan(5);
  private FaultDisk disk;
  private NbdRig rig;

  @BeforeEach
  void serve() throws Exception {
    Tool.needs("nbdsh", "python3-libnbd");
    Path file = folder.resolve("disk");
    try (RandomAccessFile made = new RandomAccessFile(file.toFile(), "rw")) {
      made.setLength(DISK_BYTES);
    }
    disk =
        new FaultDisk(
            new DiskAddress.OfFault(new DiskAddress.OfPath(file)),
            new RigDisk(file, DISK_BYTES, 512),
            faults);
    rig = NbdRig.overUnix(folder.resolve("nbd.sock"), Export.of("disk", disk));
  }

  @AfterEach
  void stop() {
    rig.close();
    disk.close();
  }

  private void shell(String script) throws Exception {
    Tool.run(
            "nbdsh",
            "-c",
            """
            import errno
            def fails(how, what):
                try:
                    how()
                except nbd.Error as e:
                    assert e.errnum == what, (e.errnum, what)
                else:
                    raise AssertionError("it did not fail with %s" % what)
            """,
            "-c",
            script)
        .succeeded();
  }

  /** The same script over simple replies, structured ones, and with every context. */
  private void inEveryDialect(String script) throws Exception {
    for (String settings :
        new String[] {
          "h.set_request_structured_replies(False)",
          "pass",
          "h.add_meta_context('base:allocation'); h.add_meta_context('spared:remap')"
        }) {
      shell(settings + "\nh.connect_uri('" + rig.uri("disk") + "')\n" + script);
    }
  }

  @Test
  void zeroesAreWrittenWithOrWithoutHolesAndNeverFastOrNothing() throws Exception {
    inEveryDialect(
        """
        assert h.can_zero() and h.can_fast_zero() and h.can_trim() and h.can_fua()
        h.pwrite(b'x' * 65536, 0)
        h.zero(4096, 512)
        h.zero(4096, 8192, nbd.CMD_FLAG_NO_HOLE)
        h.zero(512, 16384, nbd.CMD_FLAG_NO_HOLE | nbd.CMD_FLAG_FUA)
        fails(lambda: h.zero(4096, 32768, nbd.CMD_FLAG_FAST_ZERO), errno.ENOTSUP)
        expected = bytearray(b'x' * 65536)
        for at, length in (512, 4096), (8192, 4096), (16384, 512):
            expected[at:at + length] = bytes(length)
        assert h.pread(65536, 0) == expected
        h.trim(4096, 0, nbd.CMD_FLAG_FUA)
        assert h.pread(512, 4608) == expected[4608:5120]
        h.pwrite(b'y' * 512, 512, nbd.CMD_FLAG_FUA)
        h.flush()
        h.cache(4096, 0)
        h.shutdown()
        """);
  }

  @Test
  void zeroesWithoutHolesStayAllocatedBelow() throws Exception {
    // A file system that cannot zero in place but can make holes.
    Path file = Files.createTempFile(Path.of("/dev/shm"), "spared-nbd", ".disk");
    try {
      byte[] bytes = new byte[1 << 20];
      java.util.Arrays.fill(bytes, (byte) 7);
      Files.write(file, bytes);
      try (RigDisk holed = new RigDisk(file, bytes.length, 512);
          NbdRig other = NbdRig.overUnix(folder.resolve("holes.sock"), Export.of("holes", holed))) {
        shell(
            """
            import os
            h.connect_uri('%s')
            def allocated():
                return os.stat('%s').st_blocks * 512
            all = allocated()
            h.zero(65536, 0, nbd.CMD_FLAG_NO_HOLE)
            assert allocated() == all
            h.zero(65536, 131072)
            assert allocated() == all - 65536, (allocated(), all)
            assert h.pread(65536, 0) == bytes(65536)
            assert h.pread(65536, 131072) == bytes(65536)
            h.shutdown()
            """
                .formatted(other.uri("holes"), file));
      }
    } finally {
      Files.delete(file);
    }
  }

  @Test
  void whatIsOutsideOrNoWholeSectorsIsRefusedAndTheConnectionGoesOn() throws Exception {
    inEveryDialect(
        """
        h.set_strict_mode(0)
        size = h.get_size()
        fails(lambda: h.pread(512, size), errno.EINVAL)
        fails(lambda: h.pread(512, 1), errno.EINVAL)
        fails(lambda: h.pread(100, 0), errno.EINVAL)
        fails(lambda: h.pwrite(b'z' * 1024, size - 512), errno.ENOSPC)
        fails(lambda: h.pwrite(b'z' * 100, 0), errno.EINVAL)
        fails(lambda: h.zero(1024, size - 512), errno.ENOSPC)
        fails(lambda: h.trim(1024, size - 512), errno.ENOSPC)
        fails(lambda: h.flush(1 << 9), errno.EINVAL)
        h.pwrite(b'a' * 512, size - 512)
        assert h.pread(512, size - 512) == b'a' * 512
        h.shutdown()
        """);
  }

  @Test
  void anUnreadableSectorIsAnErrorAtItsPlaceAndTheRestIsData() throws Exception {
    faults.add(FaultRule.badRange(1 << 20, 1024));
    faults.add(FaultRule.badRange((1 << 20) + LONG_BYTES - 4096, 512));
    shell(
        """
        h.connect_uri('%s')
        length = %d
        at = 1024 * 1024
        def read(at):
            got, holes, errors = set(), set(), {}
            def chunk(part, offset, status, error):
                assert len(part) %% 512 == 0
                if status == nbd.READ_ERROR:
                    errors[offset] = error.value
                    return 0
                sectors = set(range(offset, offset + len(part), 512))
                assert not sectors & got
                got.update(sectors)
                if status == nbd.READ_HOLE:
                    assert part == bytes(len(part))
                    holes.update(sectors)
                return 0
            if at == bad_at:
                fails(lambda: h.pread_structured(length, at, chunk), errno.EIO)
            else:
                h.pread_structured(length, at, chunk)
            return got, holes, errors
        bad_at, piece, all = at, 252 * 1024, lambda a, b: set(range(a, b, 512))
        got, holes, errors = read(at)
        assert errors == {at: errno.EIO, at + length - 4096: errno.EIO}, errors
        assert got == all(at, at + length) - {at, at + 512, at + length - 4096}
        # Zeroes are told instead of sent, piece by piece.
        assert holes == all(at + piece, at + 2 * piece)
        h.pwrite(b'x' * 512, 4 * at + 2 * piece - 512)
        got, holes, errors = read(4 * at)
        assert errors == {} and got == all(4 * at, 4 * at + length)
        assert holes == got - all(4 * at + piece, 4 * at + 2 * piece)
        # In one chunk or not at all.
        fails(lambda: h.pread_structured(4096, at, lambda *said: 0, nbd.CMD_FLAG_DF), errno.EIO)
        said = []
        h.pread_structured(4096, at + 4096, lambda *part: said.append(part[0]) or 0, nbd.CMD_FLAG_DF)
        assert said == [bytes(4096)], said
        # Written again, they can be read again.
        h.pwrite(b'n' * length, at)
        assert h.pread(length, at) == b'n' * length
        h.shutdown()
        """
            .formatted(rig.uri("disk"), LONG_BYTES));
  }

  @Test
  void manyRequestsAtOnceAreAnsweredEachWithItsOwn() throws Exception {
    inEveryDialect(
        """
        import random
        random.seed(3)
        truth = bytearray(h.pread(1 << 22, 0))
        for turn in range(6):
            places = random.sample(range(64), 40)
            done = []
            for place in places:
                bytes_ = bytes([random.randrange(256)]) * 65536
                truth[place * 65536:(place + 1) * 65536] = bytes_
                done.append(h.aio_pwrite(nbd.Buffer.from_bytearray(bytearray(bytes_)), place * 65536))
            while h.aio_in_flight() > 0:
                h.poll(-1)
            assert all(h.aio_command_completed(cookie) for cookie in done)
            buffers = [(place, nbd.Buffer(65536)) for place in range(64)]
            for place, buffer in buffers:
                h.aio_pread(buffer, place * 65536)
            while h.aio_in_flight() > 0:
                h.poll(-1)
            for place, buffer in buffers:
                assert buffer.to_bytearray() == truth[place * 65536:(place + 1) * 65536]
        h.shutdown()
        """);
  }

  @Test
  void aReadOnlyExportRefusesWhatWouldChangeIt() throws Exception {
    try (NbdRig other =
        NbdRig.overUnix(
            folder.resolve("ro.sock"),
            new Export("ro", disk, Export.of("ro", disk).table(), true))) {
      shell(
          """
          h.set_strict_mode(0)
          h.connect_uri('%s')
          assert h.is_read_only()
          assert h.pread(512, 0) == bytes(512)
          fails(lambda: h.pwrite(b'z' * 512, 0), errno.EPERM)
          fails(lambda: h.zero(512, 0), errno.EPERM)
          fails(lambda: h.trim(512, 0), errno.EPERM)
          h.shutdown()
          """
              .formatted(other.uri("ro")));
    }
  }
}
