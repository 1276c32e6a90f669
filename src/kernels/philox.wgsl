// Philox4x32-10, Salmon et al. 2011: the same words as src/processing/philox.ts.
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
