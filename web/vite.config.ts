import { fileURLToPath } from 'node:url'
import vue from '@vitejs/plugin-vue'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [vue()],
  base: '/',
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: '../apsis/api/static',
    emptyOutDir: true,
    // light-dark() in the style sheets is used as written from these on
    target: ['chrome123', 'firefox121', 'safari17.5'],
    // a style sheet or picture as data: would need a looser Content-Security-Policy
    assetsInlineLimit: 0,
  },
  worker: { format: 'es' },
  server: { proxy: { '/api': { target: 'http://127.0.0.1:5050', changeOrigin: true } } },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
})
