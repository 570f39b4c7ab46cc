// grid: the linear workgroup number of a grid that foldGrid (common.ts) folded into x and y.
// The last row may be partial: return if the number is not below the number of groups.
fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.x + group.y * groups.x;
}
