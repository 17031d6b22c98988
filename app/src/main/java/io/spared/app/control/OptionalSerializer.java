package io.spared.app.control;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.SerializerProvider;
import java.io.IOException;
import java.util.Optional;

/** An optional value is the value, or null. */
@SuppressWarnings("rawtypes") // Jackson asks for the class itself.
final class OptionalSerializer extends JsonSerializer<Optional> {
  @Override
  public void serialize(Optional value, JsonGenerator generator, SerializerProvider provider)
      throws IOException {
    if (value.isEmpty()) {
      generator.writeNull();
    } else {
      provider.defaultSerializeValue(value.get(), generator);
    }
  }
}
