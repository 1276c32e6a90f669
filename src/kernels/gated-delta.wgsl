// Gated delta rule of one head, with k̂ = keyScale · k and q̂ = queryScale · q (unit length; q̂ also by 1/√DK):
//   S ← e^g S;  error = v − Sᵀ k̂;  S ← S + k̂ (β error)ᵀ;  out = Sᵀ q̂
// Rows go in chunks of CHUNK that never cross a sample's start. With decay γ_i = Σ g up to and with row i of its chunk and the state S
// before the chunk, B_ij = e^(γ_i − γ_j) k̂_i·k̂_j (j < i) and P_ij = e^(γ_i − γ_j) q̂_i·k̂_j (j ≤ i):
//   R = V − e^γ K̂ S;  errors E = (I + B β)⁻¹ R = R − X β R  where  X = B − B β X;  U = β E
//   out = e^γ Q̂ S + P U;  state after = e^(γ_last) S + Σ_i e^(γ_last − γ_i) k̂_i u_iᵀ
// X replaces the inverse so that no later step divides by a β that may have vanished.
// Products are made of 4 × 4 blocks: column r of a mat4x4 holds four values of row r.
const DK4 = DK / 4u;
const DV4 = DV / 4u;
const CHUNK4 = CHUNK / 4u;
const STATE4 = DK * DV4;
const KEYS4 = KEY_HEADS * DK4;
const STRIDE4 = 2u * KEYS4 + VALUE_HEADS * DV4;

// A row holds the queries of all key heads, then their keys, then the values of all value heads.
fn queryAt(row: u32, head: u32) -> u32 { return row * STRIDE4 + head / GROUP * DK4; }
fn keyAt(row: u32, head: u32) -> u32 { return row * STRIDE4 + KEYS4 + head / GROUP * DK4; }
fn valueAt(row: u32, head: u32) -> u32 { return row * STRIDE4 + 2u * KEYS4 + head * DV4; }
fn headAt(row: u32, head: u32) -> u32 { return row * VALUE_HEADS + head; }
