// Logits become rowWeight · (softmax − one-hot) / temperature
@compute @workgroup_size(THREADS)
fn main(@builtin(local_invocation_index) lid: u32, @builtin(workgroup_id) group: vec3<u32>) {
  let row = group.x;
  let base = row * params.columns;
  let known = state[row];
  let weight = rowWeights[row] * params.inverseTemperature;
  let share = weight / known.y;
  let column = u32(targets[row]) - params.firstColumn;
  for (var i = lid; i < params.columns; i += THREADS) {
    var slope = exp(logits[base + i] * params.inverseTemperature - known.x) * share;
    if (i == column) { slope -= weight; }
    logits[base + i] = slope;
  }
}
