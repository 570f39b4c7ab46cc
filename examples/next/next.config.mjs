import { cpSync } from 'node:fs';

// Only because this app is part of a checkout: one of the demo's models is put where Next.js serves files.
const model = 'models/fable-omni-8m';
cpSync(`../../demo/public/${model}`, `public/${model}`, { recursive: true });

export default {};
