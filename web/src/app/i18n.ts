// Messages by area: i18n/<language>/<area>.ts is found as `<area>.…`. Chinese comes along, English when asked for.

import zhElement from 'element-plus/es/locale/lang/zh-cn'
import { shallowRef } from 'vue'
import { createI18n } from 'vue-i18n'

export type Language = 'zh' | 'en'
type Area = Record<string, unknown>

const STORED = 'hotline.language'
const zh = import.meta.glob<Area>(['../i18n/zh/*.ts', '!../i18n/zh/{history,admin,doctor,failed,reports}.ts'], {
  eager: true,
  import: 'default',
})
/** The words of pages that few open: they come with their page. */
const later = import.meta.glob<Area>('../i18n/zh/{history,admin,doctor,failed,reports}.ts', { import: 'default' })
const en = import.meta.glob<Area>('../i18n/en/*.ts', { import: 'default' })

function area(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1, -'.ts'.length)
}

type Messages = Record<string, string>

/** The areas' messages under their names, as the library wants them typed. */
function byArea(found: Record<string, Area>): Messages {
  return Object.fromEntries(Object.entries(found).map(([path, one]) => [area(path), one])) as unknown as Messages
}

export const i18n = createI18n<[Messages], Language, false>({
  legacy: false,
  locale: 'zh',
  fallbackLocale: 'zh',
  messages: { zh: byArea(zh), en: {} },
})

/** Element Plus's own words in the language chosen. */
export const elementLocale = shallowRef(zhElement)

let englishLoaded = false
async function loadEnglish(): Promise<void> {
  const areas = await Promise.all(Object.entries(en).map(async ([path, load]) => [path, await load()] as const))
  englishLoaded = true
  i18n.global.setLocaleMessage('en', byArea(Object.fromEntries(areas)))
}

/** Load a page's Chinese words before it is shown; English comes as a whole. */
export async function needArea(name: string): Promise<void> {
  const words = await later[`../i18n/zh/${name}.ts`]?.()
  if (words) i18n.global.mergeLocaleMessage('zh', { [name]: words })
}

export async function setLanguage(language: Language): Promise<void> {
  if (language === 'en' && !englishLoaded) await loadEnglish()
  elementLocale.value =
    language === 'zh' ? zhElement : (await import('element-plus/es/locale/lang/en')).default
  i18n.global.locale.value = language
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
  document.title = i18n.global.t('app.product')
  localStorage.setItem(STORED, language)
}

export function language(): Language {
  return i18n.global.locale.value === 'en' ? 'en' : 'zh'
}

export function storedLanguage(): Language {
  return localStorage.getItem(STORED) === 'en' ? 'en' : 'zh'
}
