// Light or dark: as chosen, else as the system says.

import { shallowRef } from 'vue'

const STORED = 'hotline.theme'
const system = matchMedia('(prefers-color-scheme: dark)')

export const dark = shallowRef(false)

function apply(on: boolean): void {
  dark.value = on
  document.documentElement.classList.toggle('dark', on)
}

export function startTheme(): void {
  const chosen = localStorage.getItem(STORED)
  apply(chosen === null ? system.matches : chosen === 'dark')
  system.addEventListener('change', (event) => {
    if (localStorage.getItem(STORED) === null) apply(event.matches)
  })
}

export function setDark(on: boolean): void {
  localStorage.setItem(STORED, on ? 'dark' : 'light')
  apply(on)
}
