# How verdicts are reached and written, in the guest and on this machine.

# What a kernel only says when something is wrong. Errors of disks that a suite makes fail are not in it.
wrong='WARNING: |BUG: |kernel BUG|Oops|general protection|Call Trace|blocked for more than|soft lockup|hard LOCKUP|refcount_t|use-after-free|unreferenced object|list_(add|del) corruption|kernel NULL pointer|Unable to handle|invalid opcode|bad page|INFO: task|self-detected stall|scheduling while atomic|possible deadlock|sleeping function called'

escape() { tr -cd '\11\12\15\40-\176' | sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; }
