// planes (0): how many planes of nested bits there are above the base (src/weights/nested-planes.ts).
const PLANES = 0u;
