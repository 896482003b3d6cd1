import js from '@eslint/js'
import vue from 'eslint-plugin-vue'
import globals from 'globals'
import tseslint from 'typescript-eslint'

// Layers point down: a file may import from its own layer and from those after it.
const LAYERS = ['views', 'components', 'composables', 'api', 'model']

const layers = LAYERS.slice(1).map((layer, index) => ({
  files: [`src/${layer}/**/*.{ts,vue}`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            group: [
              ...LAYERS.slice(0, index + 1).flatMap((above) => [`@/${above}`, `@/${above}/*`]),
              '@/router',
              '../*',
            ],
            message: `${layer} is below: views → components → composables → api → model.`,
          },
          ...(layer === 'model' || layer === 'api'
            ? [{ group: ['vue', 'vue-router', 'reka-ui', '@tanstack/*'], message: `${layer} knows no Vue.` }]
            : []),
        ],
      },
    ],
  },
}))

export default tseslint.config(
  { ignores: ['node_modules', 'dist'] },
  js.configs.recommended,
  ...tseslint.configs.strict,
  ...vue.configs['flat/recommended'],
  {
    languageOptions: {
      globals: globals.browser,
      parserOptions: { parser: tseslint.parser, extraFileExtensions: ['.vue'] },
    },
    rules: {
      'max-lines': ['error', { max: 400 }],
      'no-undef': 'off', // TypeScript knows better
      'vue/multi-word-component-names': 'off', // views are called after their page
      'vue/max-attributes-per-line': 'off',
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': ['error', { html: { void: 'always' } }],
      'vue/html-closing-bracket-newline': 'off',
      'vue/html-indent': 'off',
      'vue/first-attribute-linebreak': 'off',
      'vue/multiline-html-element-content-newline': 'off',
      'vue/no-v-html': 'error',
    },
  },
  {
    files: ['src/**/*.{ts,vue}'],
    ignores: ['src/api/**', 'src/**/*.test.ts'],
    rules: {
      'no-restricted-globals': [
        'error',
        ...['fetch', 'EventSource', 'XMLHttpRequest', 'SharedWorker', 'WebSocket'].map((name) => ({
          name,
          message: 'Only api/ talks to the server.',
        })),
      ],
    },
  },
  ...layers,
)
