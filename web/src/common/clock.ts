// Whose clock times are told by: the line's where there is one, else the house's. Never this browser's.

import { dateTime as dateTimeIn, midnight as midnightIn, timeOfDay as timeOfDayIn } from '@/common/format.ts'
import { useSession } from '@/stores/session.ts'

/** The time zone of a line; without one, or of one that is no more, the house's. */
export function zoneOf(line?: string | null): string {
  const session = useSession()
  return session.lines.get(line ?? '')?.timezone ?? session.me?.timezone ?? 'UTC'
}

/** An instant (POSIX seconds) as date and time. */
export function dateTime(at: number, line?: string | null): string {
  return dateTimeIn(at, zoneOf(line))
}

/** An instant (POSIX seconds) as the time of day. */
export function timeOfDay(at: number, line?: string | null): string {
  return timeOfDayIn(at, zoneOf(line))
}

/** Midnight of the house at the beginning of a day (or `later` days after it), POSIX seconds; `null`: no such day. */
export function midnight(day: string, later = 0): number | null {
  return midnightIn(day, zoneOf(), later)
}
