import '@/app/tokens.css'

import { createPinia } from 'pinia'
import { createApp } from 'vue'

import App from '@/app/App.vue'
import { i18n, setLanguage, storedLanguage } from '@/app/i18n.ts'
import { router } from '@/app/router.ts'
import { startTheme } from '@/app/theme.ts'

startTheme()
await setLanguage(storedLanguage())
createApp(App).use(createPinia()).use(i18n).use(router).mount('#app')
