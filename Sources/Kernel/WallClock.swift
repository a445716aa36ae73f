internal import CLinux
internal import Glibc

/// The time of day, for people and for certificates; intervals are measured on the monotonic clock.
package enum WallClock {
    /// Seconds since 1970 (CLOCK_REALTIME, clock_gettime(2)).
    package static var secondsSince1970: Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec)
    }
}
