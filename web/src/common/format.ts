// Values as people read them. Pure.

/** Seconds as `mm:ss`, from an hour on `h:mm:ss`. */
export function duration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds))
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const tail = `${String(minutes).padStart(2, '0')}:${String(rest).padStart(2, '0')}`
  return hours ? `${hours}:${tail}` : tail
}

const parts = new Map<string, Intl.DateTimeFormat>()

/** What a clock on the wall shows in a time zone (IANA name): year, month, day, hour, minute, second. */
function wallClock(at: number, zone: string): readonly string[] {
  let format = parts.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-GB', {
      timeZone: zone, hourCycle: 'h23', year: 'numeric', month: '2-digit', day: '2-digit',
      hour: '2-digit', minute: '2-digit', second: '2-digit',
    })
    parts.set(zone, format)
  }
  const found = new Map(format.formatToParts(at * 1000).map((part) => [part.type, part.value]))
  return (['year', 'month', 'day', 'hour', 'minute', 'second'] as const).map((name) => found.get(name) ?? '')
}

/** An instant (POSIX seconds) as the time of day in a time zone: `08:05:09`. */
export function timeOfDay(at: number, zone: string): string {
  return wallClock(at, zone).slice(3).join(':')
}

/** An instant (POSIX seconds) as date and time in a time zone: `2026-01-31 08:05:09`. */
export function dateTime(at: number, zone: string): string {
  return `${wallClock(at, zone).slice(0, 3).join('-')} ${timeOfDay(at, zone)}`
}

/** The year, month (0..11) and date of `2026-01-31`; `null`: no such day. */
function dayOf(text: string): readonly [number, number, number] | null {
  const found = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text)
  if (!found) return null
  const [year, month, date] = [Number(found[1]), Number(found[2]) - 1, Number(found[3])]
  const at = new Date(Date.UTC(year, month, date))
  return at.getUTCMonth() === month && at.getUTCDate() === date ? [year, month, date] : null
}

/** Whether there is such a day: `2026-01-31`. */
export function isDay(text: string): boolean {
  return dayOf(text) !== null
}

/** Midnight in a time zone at the beginning of a day (or `later` days after it), POSIX seconds; `null`: no such day. */
export function midnight(text: string, zone: string, later = 0): number | null {
  const day = dayOf(text)
  if (day === null) return null
  const wanted = Date.UTC(day[0], day[1], day[2] + later) / 1000
  const ahead = (at: number): number => {
    const [year, month, date, ...time] = wallClock(at, zone).map(Number)
    return Date.UTC(year ?? 0, (month ?? 1) - 1, date, ...time) / 1000 - at
  }
  // Twice, since the zone may be otherwise ahead on the other side of a change of clocks.
  return wanted - ahead(wanted - ahead(wanted))
}

/** An order field's value as text. */
export function fieldText(value: unknown, words: { readonly yes: string; readonly no: string }): string {
  if (typeof value === 'boolean') return value ? words.yes : words.no
  if (Array.isArray(value)) return value.join('、')
  return value === null || value === undefined ? '' : String(value)
}
