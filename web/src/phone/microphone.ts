// The microphone: how it is asked for, and why it cannot be had.

/** What to fix: the page's address, the browser's permission, the plug, or another program. */
export type MicrophoneTrouble = 'insecure' | 'denied' | 'missing' | 'taken' | 'other'

// Names of the exceptions as Media Capture and Streams gives them for getUserMedia.
const TROUBLES: Readonly<Record<string, MicrophoneTrouble>> = {
  NotAllowedError: 'denied',
  SecurityError: 'denied',
  NotFoundError: 'missing',
  OverconstrainedError: 'missing',
  NotReadableError: 'taken',
  AbortError: 'taken',
}

/** `secure`: whether the page may ask at all (https, or this very machine). */
export function troubleOf(error: unknown, secure: boolean = globalThis.isSecureContext): MicrophoneTrouble {
  if (!secure) return 'insecure'
  return TROUBLES[error instanceof Error ? error.name : ''] ?? 'other'
}

/** The device chosen if it is there: a headset that was unplugged must not keep a call from being answered. */
export function wanted(device: string): MediaTrackConstraints {
  return device ? { deviceId: { ideal: device } } : {}
}
