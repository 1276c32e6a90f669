// Inverted dropout whose mask is a function of (seed, step, module, element): the same again when a layer is recomputed.
// Philox4x32-10, Salmon et al. 2011.
struct Params { count: u32, key0: u32, key1: u32, moduleId: u32, keep: f32, addToOutput: u32, scale: f32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

fn highProduct(a: u32, b: u32) -> u32 {
  let a0 = a & 0xffffu; let a1 = a >> 16u; let b0 = b & 0xffffu; let b1 = b >> 16u;
  let low = a0 * b0;
  let middle = a1 * b0 + (low >> 16u);
  let rest = a0 * b1 + (middle & 0xffffu);
  return a1 * b1 + (middle >> 16u) + (rest >> 16u);
}
fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    let high0 = highProduct(0xD2511F53u, c.x);
    let high1 = highProduct(0xCD9E8D57u, c.z);
    c = vec4<u32>(high1 ^ c.y ^ k.x, 0xCD9E8D57u * c.z, high0 ^ c.w ^ k.y, 0xD2511F53u * c.x);
    k += vec2<u32>(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let quad = id.x + id.y * 65535u * 64u;
  if (quad * 4u >= params.count) { return; }
  let random = philox(vec4<u32>(quad, params.moduleId, 0u, 0u), vec2<u32>(params.key0, params.key1));
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
