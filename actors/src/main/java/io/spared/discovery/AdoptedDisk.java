package io.spared.discovery;

/**
 * A main disk that was adopted, and so carries no mark of its own.
 *
 * @param serial of the whole disk, also when main is a partition of it
 * @param kernelName such as sda or sda1
 */
public record AdoptedDisk(String serial, String kernelName) {}
