import vue from '@vitejs/plugin-vue';
import { defineConfig } from 'vite';

// But for the plugin, only because this app is part of a checkout: the demo's models are served, and the linked package is
// outside the folder.
export default defineConfig({
  plugins: [vue()],
  publicDir: '../../demo/public',
  resolve: { dedupe: ['vue'] },
  server: { fs: { allow: ['../..'] } },
});
