/**
 * XGrammar (Dong and others, 2024, arXiv:2411.15100) in WebAssembly, about 394 kB of gzip, loaded with the first reply whose text
 * must have a shape.
 */
import xgrammar from '@mlc-ai/web-xgrammar';

export type { CompiledGrammar, GrammarCompiler, StructuralTagFormat, TagFormat } from '@mlc-ai/web-xgrammar';

/** What the library has said last, the newest line last: its build keeps that from the console. */
export const saidLines: readonly string[] = (xgrammar as { readonly lines?: readonly string[] }).lines ?? [];

/** The library; undefined in a worker of one script, whose build leaves it out. */
export const openLibrary: (() => typeof xgrammar) | undefined = () => xgrammar;
