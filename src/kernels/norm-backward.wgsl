// Needs norm.wgsl.
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x + group.y * 65535u;
  if (row >= params.rows) { return; }
  let base = row * params.size;
  let mean = meanOf(lid, base);
  let scale = inverseDeviation(lid, base, mean);
  var sumG = 0.0;
  var sumGX = 0.0;
  for (var i = lid; i < params.size; i += THREADS) {
    let g = dy[base + i] * weight[i];
    sumG += g;
    sumGX += g * (x[base + i] - mean) * scale;
  }
  let meanGX = total(lid, sumGX) / f32(params.size);
  var meanG = 0.0;
  if (CENTERED) { meanG = total(lid, sumG) / f32(params.size); }
  for (var i = lid; i < params.size; i += THREADS) {
    let normalized = (x[base + i] - mean) * scale;
    var slope = scale * (dy[base + i] * weight[i] - meanG - normalized * meanGX);
    if (params.hasAddend != 0u) { slope += addend[base + i]; }
    dx[base + i] = slope;
  }
}
