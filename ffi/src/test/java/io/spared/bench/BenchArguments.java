package io.spared.bench;

import java.util.List;

/**
 * What a benchmark was asked: {@code --quick} means that it ends within 50 s once set up; the rest
 * are its own arguments.
 */
public record BenchArguments(boolean quick, List<String> rest) {}
