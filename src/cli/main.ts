/** The program `atomoe`: package.json's `bin` points at what is built from this. */
import process from 'node:process';
import { main } from './program.ts';
import { processTerminal } from './terminal.ts';

// The process ends by itself once the GPU is let go: ending it in mid-work crashes the driver.
process.exitCode = await main(process.argv.slice(2), processTerminal());
