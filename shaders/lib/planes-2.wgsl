// planes (2): how many planes of nested bits there are above the base (src/weights/nested-planes.ts).
const PLANES = 2u;
