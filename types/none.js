// The entries for React, Vue and Svelte hold types only.
export {};
