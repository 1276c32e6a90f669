// Adds the partial sums of outer.wgsl in a fixed order.
struct Params { countI: u32, countJ: u32, cOffset: u32, strideI: u32, strideJ: u32, scale: f32, splits: u32 }
@group(0) @binding(0) var<storage, read> partial: array<f32>;
@group(0) @binding(1) var<storage, read_write> target_: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let count = params.countI * params.countJ;
  if (id.x >= count) { return; }
  var sum = 0.0;
  for (var s = 0u; s < params.splits; s++) { sum += partial[s * count + id.x]; }
  target_[params.cOffset + (id.x / params.countJ) * params.strideI + (id.x % params.countJ) * params.strideJ] += params.scale * sum;
}
