/**
 * The worker as one script, for bundlers that leave its file behind: the library's build puts it here (vite.lib.config.ts).
 * Loaded only when needed. In the sources there is none, since whatever serves those knows workers.
 */
export const workerText: string | undefined = undefined;
