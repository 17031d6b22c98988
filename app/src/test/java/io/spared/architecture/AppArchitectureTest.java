package io.spared.architecture;

class AppArchitectureTest extends ArchitectureCheck {}
