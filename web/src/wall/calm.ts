// What is read by people need not change sixty times a second: counts and orders of a thousand follow at ease.

import { effect, onScopeDispose, shallowRef, stop, type ShallowRef } from 'vue'

/** How often what is derived of everybody follows at most. */
export const CALM_MS = 250

/**
 * The value of `get`, at once when it changes after a while of rest, else every `ms`. What it reads is followed
 * without being evaluated in between, so that a burst of changes costs one evaluation.
 */
export function calm<T>(get: () => T, ms = CALM_MS): Readonly<ShallowRef<T>> {
  const value = shallowRef() as ShallowRef<T>
  let timer: ReturnType<typeof setTimeout> | null = null
  let ran = 0
  const follow = effect(
    () => {
      ran = performance.now()
      value.value = get()
    },
    {
      scheduler: () => {
        timer ??= setTimeout(
          () => {
            timer = null
            follow()
          },
          Math.max(0, ran + ms - performance.now()),
        )
      },
    },
  )
  onScopeDispose(() => {
    stop(follow)
    if (timer !== null) clearTimeout(timer)
  })
  return value
}
