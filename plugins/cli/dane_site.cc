// dane_site.cc - see dane_site.h. One function a condition.
#include "plugins/cli/dane_site.h"

#include <fmt/format.h>

#include <algorithm>

namespace strictmx::cli {
namespace {

// From here on Postfix is known to ask the C library for the AD bit by itself.
constexpr PostfixVersion kFirstThatKeepsAd{3, 6, 0};

constexpr std::string_view kDaneIsOn = "postfix.dane = true, but ";

// The level that holds once the advice is taken: where TLS is off, that is `may`.
std::string level_of(const PostfixSite& site) {
  if (!site.security_level.empty() && site.security_level != "none") return site.security_level;
  return site.security_level.empty() && site.enforce_tls ? "encrypt" : "may";
}

bool is_right_level(std::string_view level) { return level == "may" || level == "dane"; }

std::string switch_on(const std::string& config_file) {
  return fmt::format("`{}` below `{}` in {}", kDaneLines[1], kDaneLines[0], config_file);
}

void need(DaneAdvice& dane, Setting setting) {
  dane.missing.push_back(setting.name + " = " + setting.value);
  dane.settings.push_back(std::move(setting));
}

void look_at_dns_support(const PostfixSite& site, DaneAdvice& dane) {
  if (site.dns_support_level == "dnssec") {
    dane.has.emplace_back("smtp_dns_support_level = dnssec");
    return;
  }
  need(dane, {"smtp_dns_support_level", "dnssec",
              "without it Postfix does no DANE: it defers what is answered `dane-only`, and takes "
              "`dane` for `may`"});
}

void look_at_host_lookup(const PostfixSite& site, DaneAdvice& dane) {
  const auto words = split_maps(site.host_lookup);
  if (words.empty() || std::find(words.begin(), words.end(), "dns") != words.end()) return;
  need(dane, {"smtp_host_lookup", "dns", "Postfix does DANE only for hosts that it finds in DNS"});
}

void look_at_mx_errors(const PostfixSite& site, DaneAdvice& dane) {
  if (!site.ignores_mx_lookup_error) return;
  need(dane, {"ignore_mx_lookup_error", "no",
              "with `yes` an attacker who stops the MX lookup takes DANE away, so Postfix does "
              "none then"});
}

// A search list makes another name of the one that was asked for.
void look_at_search_lists(const PostfixSite& site, DaneAdvice& dane) {
  const auto words = split_maps(site.dns_resolver_options);
  std::string kept;
  for (const std::string& word : words) {
    if (word == "res_defnames" || word == "res_dnsrch") continue;
    kept += (kept.empty() ? "" : ", ") + word;
  }
  if (std::all_of(words.begin(), words.end(), [](const std::string& word) {
        return word != "res_defnames" && word != "res_dnsrch";
      })) {
    return;
  }
  need(dane, {"smtp_dns_resolver_options", kept,
              "Postfix does no DANE with res_defnames or res_dnsrch, which complete names"});
}

void look_at_resolver_of(const PostfixSite& site, DaneAdvice& dane) {
  const SiteResolver& resolver = site.resolver;
  switch (resolver.validation) {
    case Validation::kYes:
      dane.has.push_back(fmt::format("a validating resolver on this machine ({}, of {})",
                                     fmt::join(resolver.conf.name_servers, ", "), resolver.file));
      return;
    case Validation::kNo:
      dane.missing.push_back(fmt::format(
          "a validating resolver: {} (of {}) answers without the AD bit, so either it does not "
          "validate DNSSEC or the name servers that it asks strip signatures",
          resolver.culprit, resolver.file));
      return;
    case Validation::kNoAnswer:
      dane.missing.push_back(
          fmt::format("a validating resolver: {} (of {}) gives no answer about the root zone",
                      resolver.culprit, resolver.file));
      return;
    case Validation::kNotLocal:
      dane.missing.push_back(fmt::format(
          "a validating resolver on this machine: {} (of {}) is another one, and Postfix believes "
          "its AD bit, which anybody on the way can set. Run unbound or the like here, with "
          "`nameserver 127.0.0.1` alone in that file",
          resolver.culprit, resolver.file));
      return;
  }
}

std::string in_words(const std::vector<std::string>& parts) {
  return fmt::format("{}", fmt::join(parts, "; "));
}

// What to do about a map that is there already.
std::string take_out(bool is_asked, std::string_view until) {
  if (!is_asked) return fmt::format("Do not add the map{}", until);
  return fmt::format("THE MAP IS SET: take it out of smtp_tls_policy_maps{}", until);
}

std::string dane_level_obstacle(const DaneAdvice& dane, bool is_asked) {
  std::string text = fmt::format(
      "smtp_tls_security_level = dane, and strictmxd does not look at DANE for Postfix "
      "(postfix.dane = false): an answer `secure` would replace DANE for that domain, also where "
      "DANE would have stopped the mail, which RFC 8461 2 forbids. First set {}, restart "
      "strictmxd, and run this again. {}. A site that does not want DANE can set "
      "smtp_tls_security_level = may instead",
      switch_on(dane.config_file), take_out(is_asked, " before that"));
  if (!dane.missing.empty()) {
    text += ". Whatever its level says, this Postfix does no DANE now; it needs: " +
            in_words(dane.missing);
  }
  return text;
}

std::string dane_only_obstacle(bool is_asked) {
  return fmt::format(
      "smtp_tls_security_level = dane-only: no mail goes to a host without TLSA records here. "
      "An answer `secure` (a certificate from a public authority) or `dane` (TLSA where there is "
      "any) would replace that for the domain, and both are weaker. {}. At the level `dane`, with "
      "postfix.dane, each domain gets the strongest that it publishes",
      take_out(is_asked, ""));
}

std::string strict_level_obstacle(const DaneAdvice& dane, bool is_asked) {
  return fmt::format(
      "postfix.dane = true in {}, but the site's own level is {}: an answer `dane` would replace "
      "that for the domain, and a host without TLSA records would then get mail without {}. Set "
      "`dane = false` there, restart strictmxd, and run this again. {}",
      dane.config_file, dane.level,
      dane.level == "encrypt" ? "TLS as well" : "a verified certificate",
      take_out(is_asked, " before that"));
}

void warn_of_missing(const Advice& advice, std::vector<std::string>& warnings) {
  const DaneAdvice& dane = advice.dane;
  if (!dane.settings.empty()) {
    warnings.push_back(fmt::format(
        "{}this Postfix does no DANE: IT DEFERS ALL MAIL to domains that are answered `dane-only` "
        "(all MX hosts have TLSA records), with `4.7.5 client TLS configuration problem`, and "
        "delivers as at `may` where the answer is `dane`. Missing: {}",
        kDaneIsOn, in_words(dane.missing)));
  } else if (!dane.missing.empty()) {
    warnings.push_back(fmt::format(
        "{}this Postfix gets no DNSSEC that it may trust. Without the AD bit IT DEFERS ALL MAIL to "
        "domains that are answered `dane-only` (all MX hosts have TLSA records), with `4.7.5 non "
        "DNSSEC destination`, and delivers as at `may` where the answer is `dane`. Missing: {}",
        kDaneIsOn, in_words(dane.missing)));
  }
}

}  // namespace

DaneAdvice look_at_dane(const PostfixSite& site, const StrictmxSite& own) {
  DaneAdvice dane;
  dane.is_on = own.dane;
  dane.config_file = own.config_file;
  dane.level = level_of(site);
  dane.is_level_right = is_right_level(dane.level);
  look_at_dns_support(site, dane);
  look_at_host_lookup(site, dane);
  look_at_mx_errors(site, dane);
  look_at_search_lists(site, dane);
  look_at_resolver_of(site, dane);
  return dane;
}

std::string dane_obstacle(const DaneAdvice& dane, bool is_asked) {
  if (dane.level == "dane-only") return dane_only_obstacle(is_asked);
  if (dane.level == "dane" && !dane.is_on) return dane_level_obstacle(dane, is_asked);
  if (!dane.is_level_right && dane.is_on) return strict_level_obstacle(dane, is_asked);
  return {};
}

void advise_dane(PostfixVersion version, const SiteResolver& resolver, Advice& advice) {
  if (!advice.dane.is_on) return;
  if (advice.dane.is_ready()) {
    advice.done.push_back("DANE answers are on (postfix.dane = true), and this site has " +
                          in_words(advice.dane.has));
  }
  for (const Setting& setting : advice.dane.settings) advice.settings.push_back(setting);
  warn_of_missing(advice, advice.warnings);
  if (version < kFirstThatKeepsAd && !resolver.conf.trusts_ad) {
    advice.warnings.push_back(fmt::format(
        "{} has no `options trust-ad`: with a C library of glibc 2.31 or later, an early Postfix "
        "3.4 or 3.5 does not see the AD bit without it",
        resolver.file));
  }
}

std::string dane_option(const DaneAdvice& dane) {
  if (dane.is_on) return {};
  if (!dane.is_level_right) {
    return fmt::format(
        "postfix.dane stays false here: an answer `dane` would be weaker than "
        "smtp_tls_security_level = {}",
        dane.level);
  }
  if (dane.is_ready()) {
    return fmt::format(
        "this site has what DANE answers need ({}). With {} mail to a domain whose MX hosts have "
        "TLSA records goes only to hosts that match them (RFC 7672), whatever certificate "
        "authorities say; other domains are answered as now. It is an option: strictmxd restarts "
        "with it, nothing changes in Postfix",
        in_words(dane.has), switch_on(dane.config_file));
  }
  return fmt::format(
      "strictmxd's DANE answers (RFC 7672) are off, and this site is not ready for them. They "
      "would need: {}; then {}. Not before: Postfix would defer mail",
      in_words(dane.missing), switch_on(dane.config_file));
}

}  // namespace strictmx::cli
