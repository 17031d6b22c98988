/** Code that breaks the rules on purpose: RulesBiteTest shows that each rule sees it. */
@NullMarked
package io.spared.ffi.offence;

import org.jspecify.annotations.NullMarked;
