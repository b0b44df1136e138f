# Sums up files of css_sim --counts: `group TAB name TAB count`. Of the group `most` the largest is
# kept, of others the sum. Rows are folded at the width of a page.

{
    if (!($1 in seen)) { seen[$1] = ++groups; group[groups] = $1 }
    key = $1 FS $2
    if (!(key in count)) { name[$1, ++names[$1]] = $2 }
    if ($1 == "most") { if ($3 > count[key]) count[key] = $3 } else { count[key] += $3 }
}

function fold(title, text) {
    if (length(row) + length(text) + 2 > 110) { print row; row = sprintf("%-16s", "") }
    if (row == "") row = sprintf("%-16s", title)
    row = row text "  "
}

END {
    run = "run" FS
    printf "%d seeds, %.0f cluster-hours, %.1f core hours: %.2f seeds and %.1f cluster-hours a second of a core\n",
        count[run "seeds"], count[run "simulated-ms"] / 3.6e6, count[run "processor-ms"] / 3.6e6,
        1000 * count[run "seeds"] / (count[run "processor-ms"] + 1),
        count[run "simulated-ms"] / 3600 / (count[run "processor-ms"] + 1)
    printf "violations: %d safety, %d liveness, %d crashes\n",
        count[run "safety"], count[run "liveness"], count[run "crashes"]
    for (g = 1; g <= groups; ++g) {
        title = group[g]
        row = ""
        least = ""
        for (i = 1; i <= names[title]; ++i) {
            n = name[title, i]
            c = count[title FS n]
            fold(title, n " " c)
            if (n != "none" && (least == "" || c < fewest)) { least = n; fewest = c }
        }
        print row
        if (title != "run" && title != "most") print sprintf("%-16s", "") "rarest: " least " " fewest
    }
}
