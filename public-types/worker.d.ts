// The public types of atomoe/worker, written by npm run types:snapshot.
// What is not here is in atomoe.d.ts.
export {};
