#include "tests/simulator/page.h"

#include <nlohmann/json.hpp>

#include "tests/simulator/timeline_html.h"

namespace css {

std::string timeline_page(const nlohmann::json& data) {
    // In a script element, `</` would end it.
    std::string text = data.dump();
    for (std::size_t at = text.find("</"); at != std::string::npos; at = text.find("</", at)) {
        text.replace(at, 2, "<\\/");
    }
    std::string page = kTimelinePage;
    const std::string mark = "/*DATA*/";
    return page.replace(page.find(mark), mark.size(), text);
}

}  // namespace css
