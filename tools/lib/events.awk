# The first line of an event stream that matches: prints boottime_ns, or all that is asked for.
#   awk -v type=T [-v node=NAME] [-v members='["a","b"]'] [-v since=NS] [-v match_text=TEXT] -f events.awk
function field(key,    at) {
    at = match($0, "\"" key "\":(\"[^\"]*\"|\\[[^]]*\\]|[0-9]+|null)")
    return at ? substr($0, RSTART + length(key) + 3, RLENGTH - length(key) - 3) : ""
}
field("type") == "\"" type "\"" && field("boottime_ns") + 0 >= since + 0 &&
(node == "" || field("node") == "\"" node "\"") &&
(members == "" || field("members") == members) &&
(match_text == "" || index($0, match_text)) {
    print field("boottime_ns"), field("reason")
    exit
}
