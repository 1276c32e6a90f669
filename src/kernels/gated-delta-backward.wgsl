// Backward of gated-delta.wgsl. With dS the gradient of the state after a chunk:
//   dU = Pᵀ dOut + e^(γ_last − γ) K̂ dS;  dY = dU − Xᵀ β dU;  dV = dR = β dY;  dβ_i = dY_i · E_i
//   before the chunk: e^(γ_last) dS + Q̂ᵀ e^γ dOut − K̂ᵀ e^γ dR
//   dP_ij = dOut_i · U_j;  dB_ij = −dR_i · U_j
// The pair of a row and head: its error E, then dU, which the scan turns into dY.
fn pairAt(row: u32, head: u32) -> u32 { return headAt(row, head) * 2u * DV4; }
