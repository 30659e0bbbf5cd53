// Values as people read them. Pure.

/** Seconds as `mm:ss`, from an hour on `h:mm:ss`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const tail = `${String(minutes).padStart(2, '0')}:${String(rest).padStart(2, '0')}`
  return hours ? `${hours}:${tail}` : tail
}

/** An instant (POSIX seconds) as the time of day on this machine. */
export function timeOfDay(at: number): string {
  return new Date(at * 1000).toLocaleTimeString('zh-CN', { hour12: false })
}

/** An instant (POSIX seconds) as date and time on this machine: `2026-01-31 08:05:09`. */
export function dateTime(at: number): string {
  return `${day(at)} ${timeOfDay(at)}`
}

/** The day of an instant on this machine: `2026-01-31`. */
export function day(at: number): string {
  const date = new Date(at * 1000)
  return [date.getFullYear(), date.getMonth() + 1, date.getDate()].map((n) => String(n).padStart(2, '0')).join('-')
}

/** Midnight at the beginning of a day `2026-01-31` (or `later` days after it), POSIX seconds; `null`: no such day. */
export function midnight(day: string, later = 0): number | null {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day)
  if (!parts) return null
  const [year, month, date] = [Number(parts[1]), Number(parts[2]) - 1, Number(parts[3])]
  const at = new Date(year, month, date)
  if (at.getMonth() !== month || at.getDate() !== date) return null
  return new Date(year, month, date + later).getTime() / 1000
}

/** An order field's value as text. */
export function fieldText(value: unknown, words: { readonly yes: string; readonly no: string }): string {
  if (typeof value === 'boolean') return value ? words.yes : words.no
  if (Array.isArray(value)) return value.join('、')
  return value === null || value === undefined ? '' : String(value)
}
