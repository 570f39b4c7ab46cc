import { defineConfig } from 'vite';

// Only because this app is part of a checkout: the demo's models are served, and the linked package is outside the folder.
export default defineConfig({
  publicDir: '../../demo/public',
  resolve: { dedupe: ['react'] },
  server: { fs: { allow: ['../..'] } },
});
