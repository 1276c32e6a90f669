/** Dispatch grids. */

/** Most workgroups along one axis on every device; shaders of folded grids count `id.x + id.y * 65535 * workgroup size`. */
const MAX_GROUPS = 65535;

/** A row of workgroups folded into a grid that every device accepts. */
export function foldGroups(groups: number): [number, number] {
  return [Math.min(groups, MAX_GROUPS), Math.ceil(groups / MAX_GROUPS)];
}
