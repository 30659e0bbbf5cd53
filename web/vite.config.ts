import { fileURLToPath } from 'node:url'

import vue from '@vitejs/plugin-vue'
import elementPlus from 'unplugin-element-plus/vite'
import { defineConfig } from 'vitest/config'

const gateway = process.env['HOTLINE_GATEWAY'] ?? 'http://127.0.0.1:8600'

export default defineConfig({
  // Element Plus: `import { ElButton } from 'element-plus'` becomes that component and its style alone.
  plugins: [vue(), elementPlus({})],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  define: {
    __VUE_OPTIONS_API__: true, // Element Plus still has components of that kind
    __VUE_I18N_LEGACY_API__: false,
  },
  build: {
    outDir: '../gateway/web/dist',
    emptyOutDir: true,
    manifest: true,
    target: 'es2022',
    // Nothing inline: the gateway's Content-Security-Policy allows own files only.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: { proxy: { '/api': gateway } },
  test: {
    include: ['test/**/*.test.ts'],
    environment: 'node',
    restoreMocks: true,
    server: { deps: { inline: ['element-plus'] } },
  },
})
