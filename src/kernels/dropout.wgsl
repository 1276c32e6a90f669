// Inverted dropout whose mask is a function of (seed, step, module, element): the same again when a layer is recomputed.
// Needs philox.wgsl.

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let quad = id.x + id.y * 65535u * 64u;
  if (quad * 4u >= params.count) { return; }
  let random = philox(vec4<u32>(quad, params.moduleId, 0u, 0u), vec2<u32>(params.seed, params.step));
  for (var c = 0u; c < 4u; c++) {
    let i = quad * 4u + c;
    if (i < params.count) {
      var value = 0.0;
      // 24 bits are exact in float32
      if (f32(random[c] >> 8u) * (1.0 / 16777216.0) < params.keep) { value = params.scale * (x[i] / params.keep); }
      if (params.addToOutput != 0u) { value += y[i]; }
      y[i] = value;
    }
  }
}
