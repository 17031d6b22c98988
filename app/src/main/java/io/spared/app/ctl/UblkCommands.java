package io.spared.app.ctl;

import io.spared.ffi.Errno;
import io.spared.ffi.ublk.UblkDeviceInfo;
import io.spared.ffi.ublk.UblkDeviceState;
import io.spared.ffi.ublk.UblkDriver;
import io.spared.ffi.ublk.UblkException;
import io.spared.ffi.world.World;
import io.spared.ublk.UblkIdentity;
import io.spared.ublk.UblkKernel;
import java.io.PrintWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;
import picocli.CommandLine.ParentCommand;

/**
 * The host's ublk devices, as the kernel's driver knows them: asked directly, since they matter
 * most when no daemon is there. Only what spared made, and no process serves, is touched.
 */
@Command(
    name = "ublk",
    mixinStandardHelpOptions = true,
    description = "The block devices of the kernel's ublk driver: those left by a dead daemon.")
final class UblkCommands {
  @ParentCommand CtlCommands parent = new CtlCommands();

  @Option(
      names = "--control",
      paramLabel = "FILE",
      description = "the driver's control device (default /dev/ublk-control)")
  Path control = UblkKernel.CONTROL_DEVICE;

  @Command(description = "All of them, with who serves them.")
  int list() throws CtlException {
    try (UblkDriver driver = open()) {
      List<UblkDeviceInfo> devices = driver.devices();
      PrintWriter out = parent.spec.commandLine().getOut();
      if (parent.json) {
        out.println(json(devices));
      } else {
        devices.forEach(device -> out.println(line(device)));
      }
      return Ctl.DONE;
    }
  }

  @Command(
      description = {
        "Has the running daemon take back a device that a dead one left, with all that waits in it.",
        "Devices that the configuration names need no command."
      })
  int recover(@Parameters(paramLabel = "N", description = "of /dev/ublkbN") int number)
      throws CtlException {
    UblkDeviceInfo device;
    try (UblkDriver driver = open()) {
      device = left(driver, number);
    }
    return parent.show(
        "POST",
        "/v1/ublk/recover",
        Json.object(Map.of("number", number, "identity", Long.toHexString(device.tag()))));
  }

  @Command(
      description = {
        "Removes a device that a dead daemon left.",
        "What programs wait for fails, and what they did not flush is lost."
      })
  int remove(
      @Parameters(paramLabel = "N", description = "of /dev/ublkbN") int number,
      @Option(names = "--yes", description = "also when programs may wait for it") boolean yes)
      throws CtlException {
    try (UblkDriver driver = open()) {
      UblkDeviceInfo device = left(driver, number);
      if (device.state() == UblkDeviceState.QUIESCED && !yes) {
        throw new CtlException(
            Ctl.REFUSED,
            "/dev/ublkb"
                + number
                + " waits for a daemon; what programs wait for would fail, and what they did not"
                + " flush would be lost: start the daemon, or say --yes");
      }
      Optional<Errno> refused = driver.remove(number);
      if (refused.isPresent()) {
        throw new CtlException(
            Ctl.REFUSED,
            "the ublk driver did not remove /dev/ublkb"
                + number
                + ": "
                + refused.get().meaning()
                + "; the kernel's log may say more");
      }
      parent.spec.commandLine().getOut().println("/dev/ublkb" + number + " is removed");
      return Ctl.DONE;
    }
  }

  private UblkDriver open() throws CtlException {
    try {
      return UblkDriver.open(control, Path.of("/dev"), World.real().clock());
    } catch (UblkException e) {
      throw new CtlException(Ctl.REFUSED, String.valueOf(e.getMessage()));
    }
  }

  /** A device of spared's that nobody serves, or a refusal. */
  private static UblkDeviceInfo left(UblkDriver driver, int number) throws CtlException {
    UblkDeviceInfo device =
        driver
            .device(number)
            .orElseThrow(() ->
                new CtlException(
                    Ctl.NO_SUCH_DEVICE,
                    "there is no /dev/ublkb" + number + "; see spared ctl ublk list"));
    if (!UblkIdentity.isOurs(device.tag())) {
      throw new CtlException(
          Ctl.REFUSED,
          "/dev/ublkb" + number + " is another program's; use that program's own commands");
    }
    if (device.state() == UblkDeviceState.LIVE) {
      throw new CtlException(
          Ctl.REFUSED,
          "/dev/ublkb"
              + number
              + " is served by process "
              + device.serverProcess()
              + "; ask that daemon: spared ctl remove NAME");
    }
    return device;
  }

  static String line(UblkDeviceInfo device) {
    String whose = UblkIdentity.isOurs(device.tag()) ? "spared's" : "another program's";
    String state =
        switch (device.state()) {
          case LIVE -> "served by process " + device.serverProcess();
          case QUIESCED -> "waits for a daemon";
          case FAIL_IO -> "fails everything until a daemon comes";
          case DEAD -> "not started";
          case UNKNOWN -> "in a state that this program does not know";
        };
    return "/dev/ublkb"
        + device.number()
        + "  "
        + state
        + ", "
        + device.queues()
        + (device.queues() == 1 ? " queue" : " queues")
        + " of "
        + device.depth()
        + ", "
        + whose;
  }

  private static String json(List<UblkDeviceInfo> devices) {
    List<Map<String, Object>> all = new ArrayList<>();
    for (UblkDeviceInfo device : devices) {
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("number", device.number());
      one.put("state", device.state().name());
      one.put("process", device.serverProcess());
      one.put("queues", device.queues());
      one.put("depth", device.depth());
      one.put("identity", Long.toHexString(device.tag()));
      one.put("spared", UblkIdentity.isOurs(device.tag()));
      all.add(one);
    }
    return Json.object(Map.of("devices", all));
  }
}
