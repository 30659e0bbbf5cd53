// The keyboard in a table whose rows each have one link: arrows, Home and End walk over the links.

const STEPS: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }

/** For `@keydown` of a table's body. */
export function walkRows(event: KeyboardEvent): void {
  const body = event.currentTarget as HTMLElement
  const links = [...body.querySelectorAll<HTMLElement>('[data-row]')]
  const at = links.indexOf(document.activeElement as HTMLElement)
  if (at < 0 || event.ctrlKey || event.altKey || event.metaKey) return
  const step = STEPS[event.key]
  const to = event.key === 'Home' ? 0 : event.key === 'End' ? links.length - 1 : step === undefined ? null : at + step
  if (to === null) return
  event.preventDefault()
  const link = links[Math.min(links.length - 1, Math.max(0, to))]
  link?.focus({ preventScroll: true })
  link?.scrollIntoView({ block: 'nearest' })
}

/** For `@click` of a row: its link is meant, unless something of its own was clicked or text is marked. */
export function openRow(event: MouseEvent): void {
  if ((event.target as HTMLElement).closest('a, button') || getSelection()?.isCollapsed === false) return
  ;(event.currentTarget as HTMLElement).querySelector<HTMLElement>('[data-row]')?.click()
}
