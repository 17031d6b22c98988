package io.spared.architecture;

class ActorsArchitectureTest extends ArchitectureCheck {}
