// Weights come as words: two bf16 values, the first in the low half, or one f32. A block of 64 shares a scale.
const BLOCK = 64u;
const FOURS_OF_BLOCK = BLOCK / PER_WORD / 4u;

// Bits of the largest magnitude of each block. Magnitudes of floats order like their bits, and NaN sorts above infinity.
@compute @workgroup_size(64)
fn largest(@builtin(global_invocation_id) id: vec3<u32>) {
  let block = id.x + id.y * 65535u * 64u;
  if (block >= params.blocks) { return; }
  var most = vec4<u32>();
  for (var i = 0u; i < FOURS_OF_BLOCK; i++) {
    let four = source[block * FOURS_OF_BLOCK + i];
    if (PER_WORD == 2u) {
      most = max(most, max((four << vec4<u32>(16u)) & vec4<u32>(0x7fff0000u), four & vec4<u32>(0x7fff0000u)));
    } else {
      most = max(most, four & vec4<u32>(0x7fffffffu));
    }
  }
  result[block] = max(max(most.x, most.y), max(most.z, most.w));
}

// Thresholds strictly below each value.
fn codes(value: vec4<f32>) -> vec4<u32> {
  var count = vec4<u32>();
  for (var i = 0u; i < 15u; i++) { count += select(vec4<u32>(0u), vec4<u32>(1u), value > vec4<f32>(bitcast<f32>(THRESHOLDS[i]))); }
  return count;
}

// Eight codes a word: byte e >> 1, the high half if e is even. value · reciprocal of the block's scale is one rounded product, as on the CPU.
@compute @workgroup_size(64)
fn encode(@builtin(global_invocation_id) id: vec3<u32>) {
  let word = id.x + id.y * 65535u * 64u;
  if (word >= params.blocks * (BLOCK / 8u)) { return; }
  var even: vec4<f32>;
  var odd: vec4<f32>;
  if (PER_WORD == 2u) {
    let four = source[word];
    even = bitcast<vec4<f32>>(four << vec4<u32>(16u));
    odd = bitcast<vec4<f32>>(four & vec4<u32>(0xffff0000u));
  } else {
    let first = bitcast<vec4<f32>>(source[2u * word]);
    let second = bitcast<vec4<f32>>(source[2u * word + 1u]);
    even = vec4<f32>(first.xz, second.xz);
    odd = vec4<f32>(first.yw, second.yw);
  }
  let reciprocal = bitcast<f32>(scales[word / (BLOCK / 8u)]);
  let bytes = (codes(even * reciprocal) << vec4<u32>(4u)) | codes(odd * reciprocal);
  result[params.firstWord + word] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u) | (bytes.w << 24u);
}
