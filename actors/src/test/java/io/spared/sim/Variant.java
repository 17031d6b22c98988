package io.spared.sim;

/**
 * A deliberately broken version of the production code: one place in one source file changed, as a
 * real mistake would.
 *
 * @param name what is broken
 * @param kind the kind of run that is to catch it
 * @param file the source, from the module's own source root
 * @param find what stands there now, exactly once, white space apart
 * @param put what is put in its place
 */
record Variant(String name, String kind, String file, String find, String put) {}
