import { createApp } from 'vue'
import './styles/tokens.css'
import './styles/base.css'
import './styles/ansi.css'
import './styles/dialog.css'
import App from './App.vue'
import { applyTheme } from './composables/usePreferences'
import { router } from './router'

applyTheme()
createApp(App).use(router).mount('#app')
