# usage: awk -f scripts/fit.awk DIR/table.md        (what bench-million --steps wrote)
#
# Fits laws to the rows of the table by least squares. The error of a row is relative to the measured value, so that a
# thousand sessions count as much as a million. Prints the fitted costs as a table, with the largest deviation of a row:
# a law cannot be trusted further than that.
BEGIN { FS = "|" }

NR == 1 {
    for (i = 2; i < NF; i++) {
        gsub(/^ +| +$/, "", $i)
        column[$i] = i
    }
}

NR > 2 && NF > 2 {
    m++
    for (name in column)
        value[m, name] = $column[name] + 0
}

function of(row, name) {
    if (!(name in column)) {
        printf "fit.awk: the table has no column \"%s\"\n", name >"/dev/stderr"
        exit failed = 1
    }
    return value[row, name]
}

# The features of a law, each a number per row.
function feature(row, what) {
    if (what == "1")
        return 1
    if (what == "1/sqrt(connects per second of each comet)")
        return 1 / sqrt(of(row, "connect/s") / of(row, "comets"))
    if (what == "log10(sessions / 1,000)")
        return log(of(row, "sessions") / 1000) / log(10)
    if (what == "million sessions")
        return of(row, "sessions") / 1e6
    if (what == "RSS, MB")
        return of(row, "comet B/session") * of(row, "sessions") / 1e6
    if (what == "sessions × (write + read), ms")
        return of(row, "sessions") * (of(row, "comet µs/write") + of(row, "clients µs/write")) / 1000
    return of(row, what)
}

# Solves the normal equations of n features, weighted by 1 / y², by elimination: they are few and independent.
function solve(n, y, what,    row, i, j, k, x, weight, factor) {
    split("", sum)
    for (row = 1; row <= m; row++) {
        if (feature(row, y) == 0)
            continue # too small for the table
        weight = 1 / feature(row, y) ^ 2
        for (i = 1; i <= n; i++) {
            x = feature(row, what[i])
            for (j = 1; j <= n; j++)
                sum[i, j] += weight * x * feature(row, what[j])
            sum[i, 0] += weight * x * feature(row, y)
        }
    }
    for (i = 1; i <= n; i++)
        for (j = i + 1; j <= n; j++) {
            factor = sum[j, i] / sum[i, i]
            for (k = 0; k <= n; k++)
                sum[j, k] -= factor * sum[i, k]
        }
    for (i = n; i >= 1; i--) {
        fitted[i] = sum[i, 0]
        for (j = i + 1; j <= n; j++)
            fitted[i] -= sum[i, j] * fitted[j]
        fitted[i] /= sum[i, i]
    }
}

# fit("what is explained", "of which column", "its features, separated by ;")
function fit(label, y, features,    n, i, row, guess, off, most, at, law) {
    n = split(features, what, ";")
    if (m < n)
        return
    solve(n, y, what)
    for (row = 1; row <= m; row++) {
        if (feature(row, y) == 0)
            continue
        guess = 0
        for (i = 1; i <= n; i++)
            guess += fitted[i] * feature(row, what[i])
        off = guess / feature(row, y) - 1
        if (off * off >= most * most) {
            most = off
            at = of(row, "sessions") " on " of(row, "comets")
        }
    }
    for (i = 1; i <= n; i++)
        law = law (i > 1 ? " + " : "") sprintf("%.3g", fitted[i]) (what[i] == "1" ? "" : " × " what[i])
    printf "| %s | %s | %+.0f %% (%s) |\n", label, law, most * 100, at
}

END {
    if (failed)
        exit 1
    print "| cost | fitted | worst row |"
    print "| --- | --- | --- |"
    connect = "1;1/sqrt(connects per second of each comet)"
    fit("a connect, comet, µs", "comet µs/connect", connect)
    fit("… logic, µs", "logic", connect)
    fit("… router, µs", "router", connect)
    fit("… Redis, µs", "redis", connect)
    fit("memory of comets, above an empty one's, MB", "RSS, MB", "comets;million sessions")
    fit("memory of the machine, MiB", "memory MiB", "1;comets;million sessions")
    fit("comets with idle sessions, cores", "idle comets, cores", "comets;million sessions")
    fit("a write, comet, µs", "comet µs/write", "1;log10(sessions / 1,000)")
    fit("a push, job, µs", "job µs/push", "1;comets")
    fit("latency, p50, ms", "p50 ms", "sessions × (write + read), ms")
}
