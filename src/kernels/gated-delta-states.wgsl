// Where states lie: [slots, VALUE_HEADS, DK, DV]. Needs gated-delta.wgsl.
// Slots from params.slots on are states at the samples' ends, which are there only when `tail` says so.
fn hasState(slot: i32) -> bool { return slot >= 0 && (u32(slot) < params.slots || params.tail != 0u); }
fn stateAt(slot: i32, head: u32) -> u32 { return (u32(slot) * VALUE_HEADS + head) * STATE4; }
