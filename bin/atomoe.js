#!/usr/bin/env node
/**
 * The program `atomoe`. A published package brings it built; a checkout builds it from its sources, once for each state
 * that they are in, so that `npx atomoe` works right after `npm install` and never runs yesterday's code.
 */
import { existsSync } from 'node:fs';

const isCheckout = existsSync(new URL('../src/cli/main.ts', import.meta.url));
await import(isCheckout ? await builtFromSources() : new URL('../dist/cli.js', import.meta.url).href);

/** @returns {Promise<string>} */
async function builtFromSources() {
  const { builtProgram } = await import('../scripts/program.mjs');
  return builtProgram();
}
