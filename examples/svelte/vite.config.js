import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// But for the plugin, only because this app is part of a checkout: the demo's models are served, and the linked package is
// outside the folder.
export default defineConfig({
  plugins: [svelte()],
  publicDir: '../../demo/public',
  server: { fs: { allow: ['../..'] } },
});
