package io.spared.architecture;

class FfiArchitectureTest extends ArchitectureCheck {}
